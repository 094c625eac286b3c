declare module 'dcmjs/dictionary' {
  /** DICOM's data dictionary (PS3.6) as dcmjs carries it: `(gggg,eeee)` → VR and keyword. */
  const dictionary: Record<string, { tag: string; vr?: string; name: string }>;
  export default dictionary;
}
