/** The raw value of a data element of the outermost data set. */
export interface CapturedValue {
  bytes: Uint8Array;
  /** Value Representation as written; empty in implicit VR. */
  vr: string;
  littleEndian: boolean;
  /** Offset of the data element, in bytes. */
  offset: number;
}

interface PixelDataBounds {
  tag: number;
  /** Offset of the data element: a new header can be spliced in front of it. */
  elementOffset: number;
  /** Offset of the value: the first pixel, or the item with the Basic Offset Table. */
  offset: number;
  /** Offset just behind the value (and its Sequence Delimitation Item). */
  end: number;
}

/** Uncompressed pixel data; `length` in bytes. */
export interface NativePixelData extends PixelDataBounds {
  encapsulated: false;
  length: number;
}

/** Pixel data in fragments (PS3.5 §A.4), counted without the Basic Offset Table. */
export interface EncapsulatedPixelData extends PixelDataBounds {
  encapsulated: true;
  length: 'undefined';
  fragments: number;
  /** Bytes in those fragments. */
  fragmentBytes: number;
}

/**
 * Where the pixel data of the outermost data set lies. Offsets are bytes in the file; in a deflated data set they
 * are bytes in the inflated data set.
 */
export type PixelDataPlace = NativePixelData | EncapsulatedPixelData;
