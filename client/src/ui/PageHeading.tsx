import { type ReactNode, useEffect, useRef } from 'react';
import { useLocation } from 'react-router';

/** The page's `h1`. It names the browser tab, and takes the focus when the page was reached by a link. */
export function PageHeading({ title, children }: { title: string; children?: ReactNode }) {
  const ref = useRef<HTMLHeadingElement>(null);
  const { key } = useLocation();
  const arrivedByLink = useRef(key !== 'default');

  useEffect(() => {
    document.title = `${title} – RelayPACS`;
  }, [title]);

  useEffect(() => {
    if (!arrivedByLink.current) return;
    window.scrollTo(0, 0);
    ref.current?.focus({ preventScroll: true });
  }, []);

  return (
    <h1 ref={ref} tabIndex={-1}>
      {children ?? title}
    </h1>
  );
}
