/** Our own signs, drawn on 24 × 24 with a stroke of 2. */
const PATHS = {
  alert:
    'M12 8v5m0 3.5v.01M10.3 3.9 2.4 17.5A2 2 0 0 0 4.1 20.5h15.8a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0Z',
  arrowLeft: 'M20 12H4m7-7-7 7 7 7',
  camera:
    'M4 8h3.2l1.6-2.5h6.4L16.8 8H20a1.5 1.5 0 0 1 1.5 1.5V18a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 18V9.5A1.5 1.5 0 0 1 4 8Zm8 2a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z',
  check: 'M4 12.5 9.5 18 20 6.5',
  checkCircle: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm-4 9.3 2.8 2.7L16 9.5',
  chevron: 'm9 5 7 7-7 7',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 4.5V12l3 2',
  close: 'M5 5l14 14M19 5 5 19',
  closeCircle: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM9 9l6 6m0-6-6 6',
  download: 'M12 4.5V16m-5.5-5L12 16.5 17.5 11M4 20.5h16',
  file: 'M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1Zm8 0v5h5',
  folder: 'M3 7a2 2 0 0 1 2-2h4l2.5 2.5H19a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7Z',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 8v5m0-8.5v.01',
  link: 'M10 13.5a4.5 4.5 0 0 0 6.5.4l2.800-2.800a4.5 4.5 0 0 0-6.4-6.4L11.5 6.100M14 10.5a4.5 4.5 0 0 0-6.5-.4l-2.800 2.800a4.5 4.5 0 0 0 6.4 6.4l1.4-1.4',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  minusCircle: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm-4 9h8',
  moving: 'M20 12a8 8 0 1 1-3-6.2M20 3v4.5h-4.5',
  offline:
    'M3 3l18 18M5 12.5a10 10 0 0 1 4.5-2.4M19 12.5a10 10 0 0 0-2.6-1.8M8.5 16a5 5 0 0 1 5.6-.9M12 19.5v.01M2 9a15 15 0 0 1 4-2.7M22 9A15 15 0 0 0 10.5 5',
  send: 'M12 19V5m-6.5 6L12 4.5 18.5 11M4 20.5h16',
  server:
    'M5 4h14a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1Zm0 9h14a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1Zm2.500-5.500h.01m-.01 9h.01',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 9a8 8 0 0 1 16 0',
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration beside a text that says the same: hidden from screen readers. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo({ size = 32 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="14" fill="#0b5d78" />
      <g fill="none" stroke="#fff" strokeWidth="5" strokeLinecap="round" strokeLinejoin="round">
        <path d="M31.5 15.6A17 17 0 1 1 31.5 48.4" />
        <path d="M10 32h26M28 24l8 8-8 8" />
      </g>
    </svg>
  );
}
