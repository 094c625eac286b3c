declare module 'dcmjs' {
  /** An element as dcmjs reads it: values decoded, items of sequences as further data sets. */
  interface Element {
    vr: string;
    Value?: unknown[];
  }
  /** By tag, eight hexadecimal digits in capitals. */
  type DataSet = Record<string, Element | undefined>;

  const dcmjs: {
    data: {
      DicomMessage: {
        /** Reads a whole file; throws on most damage, and takes as much time and memory as the file asks for. */
        readFile(
          buffer: ArrayBufferLike,
          options?: { ignoreErrors?: boolean },
        ): { meta: DataSet; dict: DataSet };
      };
    };
  };
  export default dcmjs;
}
