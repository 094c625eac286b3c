import { type DragEvent, type ReactNode, useRef, useState } from 'react';
import { filesOfDrop } from './picked-files.js';
import { usePick } from './use-pick.js';

/** Takes files and folders that are dropped on what it surrounds. Everything it does can be done by button too. */
export function DropArea({ className, children }: { className: string; children: ReactNode }) {
  const pick = usePick();
  const [over, setOver] = useState(false);
  // Crossing a child's edge ends and begins a drag over the area: count how deep it is.
  const depth = useRef(0);

  const enter = (event: DragEvent, step: number) => {
    if (!event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    depth.current = Math.max(0, depth.current + step);
    setOver(depth.current > 0);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    depth.current = 0;
    setOver(false);
    void filesOfDrop(event.dataTransfer.items).then(pick);
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a target for the mouse; the buttons inside do the same
    <div
      className={`${className} ${over ? 'drop-over' : ''}`}
      onDragEnter={(event) => enter(event, 1)}
      onDragOver={(event) => event.preventDefault()}
      onDragLeave={(event) => enter(event, -1)}
      onDrop={drop}
    >
      {children}
    </div>
  );
}
