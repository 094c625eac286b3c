/** A DICOM file made by RelayPACS around something that was none. */
export interface WrappedObject {
  bytes: Uint8Array;
  sopInstanceUid: string;
  sopClassUid: string;
  transferSyntaxUid: string;
  modality: string;
}
