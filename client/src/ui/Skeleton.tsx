/** Grey shapes where cards will stand, while they are being loaded. */
export function SkeletonCards({ cards = 3 }: { cards?: number }) {
  return (
    <div className="stack" role="status" aria-label="Loading">
      {Array.from({ length: cards }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same and never move
        <div className="card stack" key={index} aria-hidden="true">
          <span className="skeleton skeleton-title" />
          <span className="skeleton" />
          <span className="skeleton skeleton-short" />
        </div>
      ))}
    </div>
  );
}
