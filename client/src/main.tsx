import './old-browsers.js';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App.js';
import { createServices, ServicesProvider } from './app/services.js';
import { ignoreStrayDrops } from './app/stray-drops.js';
import { registerServiceWorker } from './app/update.js';
import './ui/tokens.css';
import './ui/base.css';
import './ui/controls.css';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element #root');

createRoot(root).render(
  <StrictMode>
    <ServicesProvider value={createServices(window)}>
      <App />
    </ServicesProvider>
  </StrictMode>,
);
ignoreStrayDrops(window);
registerServiceWorker();
