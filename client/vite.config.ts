import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

const API = 'http://127.0.0.1:8080';

/** What only the server answers: the service worker must neither cache it nor answer it with the app's page. */
const SERVER_PATHS = [
  /^\/api(\/|$)/,
  /^\/files(\/|$)/,
  /^\/\.well-known\//,
  /^\/openapi\.json$/,
  /^\/docs(\/|$)/,
  /^\/redoc(\/|$)/,
  /^\/metrics$/,
  /^\/healthz$/,
  /^\/readyz$/,
];

export default defineConfig({
  // Workspace packages are built from their sources.
  resolve: { conditions: ['source', ...defaultClientConditions] },
  plugins: [
    react(),
    VitePWA({
      // A new version waits until the person says so: it must not interrupt an upload.
      registerType: 'prompt',
      injectRegister: false,
      includeAssets: ['favicon.svg', 'apple-touch-icon.png'],
      manifest: {
        id: '/',
        name: 'RelayPACS',
        short_name: 'RelayPACS',
        description: 'Send imaging studies safely into the PACS, from any device and over any network.',
        lang: 'en',
        start_url: '/',
        scope: '/',
        display: 'standalone',
        theme_color: '#0b5d78',
        background_color: '#f5f8fa',
        categories: ['medical', 'productivity'],
        icons: [
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
          { src: 'favicon.svg', sizes: 'any', type: 'image/svg+xml' },
        ],
      },
      workbox: {
        globPatterns: ['**/*.{html,js,css,svg,png,webmanifest}'],
        navigateFallback: '/index.html',
        navigateFallbackDenylist: SERVER_PATHS,
        cleanupOutdatedCaches: true,
        inlineWorkboxRuntime: true,
      },
    }),
  ],
  build: {
    // `dist/types` beside it belongs to tsc.
    outDir: 'dist/app',
    emptyOutDir: true,
    target: ['chrome90', 'edge90', 'firefox88', 'safari14'],
    // A strict Content-Security-Policy allows no data: scripts, styles or fonts.
    assetsInlineLimit: 0,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': API, '/files': API },
  },
});
