import { useState } from 'react';

const STEP = 50;

interface LongListProps<T> {
  items: readonly T[];
  draw(item: T): React.ReactNode;
}

/** Two thousand lines at once are of no use to anybody. */
export function LongList<T>({ items, draw }: LongListProps<T>) {
  const [shown, setShown] = useState(STEP);
  return (
    <>
      <ul className="file-list">{items.slice(0, shown).map(draw)}</ul>
      {items.length > shown && (
        <div>
          <button type="button" className="button" onClick={() => setShown(shown + STEP)}>
            Show {Math.min(STEP, items.length - shown)} more of {items.length - shown}
          </button>
        </div>
      )}
    </>
  );
}
