/** Pixels side by side, row by row; each of `samples` values. */
export interface PixelGrid<Values extends Uint8Array | Uint16Array> {
  values: Values;
  rows: number;
  columns: number;
  samples: number;
}

/**
 * Turns and mirrors the stored pixels as EXIF's orientation says, so that they stand upright without it.
 *
 * @param orientation - 1 to 8 (CIPA DC-008 §4.6.5.1.6)
 */
export function turnUpright<Values extends Uint8Array | Uint16Array>(
  grid: PixelGrid<Values>,
  orientation: number,
): PixelGrid<Values> {
  if (orientation === 1) return grid;
  const { values, samples } = grid;
  const { rows, columns, start, alongRow, alongColumn } = walk(grid, orientation);
  const turned = new (values.constructor as new (length: number) => Values)(values.length);
  let to = 0;
  for (let row = 0; row < rows; row += 1) {
    let pixel = start + row * alongColumn;
    for (let column = 0; column < columns; column += 1) {
      for (let sample = 0; sample < samples; sample += 1) {
        turned[to] = values[pixel * samples + sample] ?? 0;
        to += 1;
      }
      pixel += alongRow;
    }
  }
  return { values: turned, rows, columns, samples };
}

/** Which stored pixel is the first upright one, and the steps from one to the next along rows and columns. */
function walk({ rows, columns }: { rows: number; columns: number }, orientation: number) {
  const lastRow = (rows - 1) * columns;
  const lastColumn = columns - 1;
  const same = { rows, columns };
  const swapped = { rows: columns, columns: rows };
  switch (orientation) {
    case 2:
      return { ...same, start: lastColumn, alongRow: -1, alongColumn: columns };
    case 3:
      return { ...same, start: lastRow + lastColumn, alongRow: -1, alongColumn: -columns };
    case 4:
      return { ...same, start: lastRow, alongRow: 1, alongColumn: -columns };
    case 5:
      return { ...swapped, start: 0, alongRow: columns, alongColumn: 1 };
    case 6:
      return { ...swapped, start: lastRow, alongRow: -columns, alongColumn: 1 };
    case 7:
      return { ...swapped, start: lastRow + lastColumn, alongRow: -columns, alongColumn: -1 };
    case 8:
      return { ...swapped, start: lastColumn, alongRow: columns, alongColumn: -1 };
    default:
      return { ...same, start: 0, alongRow: 1, alongColumn: columns };
  }
}
