/** Whose study a wrapped object belongs to, and its place in it. Text is plain Unicode; absent values are unknown. */
export interface WrapContext {
  sopInstanceUid: string;
  seriesInstanceUid: string;
  studyInstanceUid: string;
  seriesNumber: number;
  instanceNumber: number;
  seriesDescription: string;
  /** With the DICOM delimiters: `Doe^Jane`. */
  patientName: string;
  patientId?: string | undefined;
  /** `YYYY-MM-DD` */
  patientBirthDate?: string | undefined;
  /** `M`, `F` or `O`. */
  patientSex?: string | undefined;
  /** `YYYY-MM-DD` */
  studyDate: string;
  /** `HH:MM:SS` */
  studyTime?: string | undefined;
  studyId?: string | undefined;
  studyDescription?: string | undefined;
  accessionNumber?: string | undefined;
  referringPhysicianName?: string | undefined;
  /** When the object is made. */
  madeAt: Date;
}
