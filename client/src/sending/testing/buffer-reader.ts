/** In Node tus-js-client reads buffers; in browsers it slices the Blob as it is. */
export const bufferReader = {
  openFile: async (blob: Blob) => ({
    size: blob.size,
    close() {},
    async slice(start: number, end: number) {
      const value = Buffer.from(await blob.slice(start, end).arrayBuffer());
      return { value: Object.assign(value, { size: value.length }), done: end >= blob.size };
    },
  }),
};
