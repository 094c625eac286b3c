import { createContext, useContext } from 'react';
import { AdministrationApi } from '../api/administration.js';
import { LiveUpdates } from '../api/live-updates.js';
import { type Network, watchNetwork } from '../api/network.js';
import { exclusiveAmongTabs, Session } from '../api/session.js';
import { UploadsApi } from '../api/uploads.js';
import { Draft } from '../features/send/draft.js';
import { SendingEngine } from '../sending/engine.js';
import { keepPageAlive } from '../sending/keep-page-alive.js';
import { shareSessionAmongTabs } from './session-tabs.js';

/** What lives as long as the page, outside of React. */
export interface Services {
  session: Session;
  network: Network;
  uploads: UploadsApi;
  administration: AdministrationApi;
  live: LiveUpdates;
  engine: SendingEngine;
  draft: Draft;
}

export function createServices(page: Window): Services {
  const network = watchNetwork(page);
  const session = new Session({
    exclusively: exclusiveAmongTabs('relaypacs-session', page.navigator.locks),
  });
  const uploads = new UploadsApi(session);
  const draft = new Draft();
  const engine = new SendingEngine({
    uploads,
    network,
    loadTransport: async () => {
      const { createTusTransport } = await import('../sending/tus-transport.js');
      return createTusTransport({ origin: page.location.origin });
    },
    whenSignedIn: (signal) => whenSignedIn(session, signal),
    parallel: parallelFiles(page.performance),
  });
  keepPageAlive(engine, page);
  shareSessionAmongTabs(session);
  forgetOnOtherPerson(session, () => {
    engine.clear();
    draft.clear();
  });
  const administration = new AdministrationApi(session);
  const live = new LiveUpdates(session, network, page.document);
  return { session, network, uploads, administration, live, engine, draft };
}

/**
 * Over HTTP/1.1 a browser opens six connections to a server: two stay free for the event stream and for calls
 * that must not wait behind a slow file.
 */
function parallelFiles(performance: Performance): number {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  return navigation?.nextHopProtocol?.startsWith('h') && navigation.nextHopProtocol !== 'http/1.1' ? 6 : 4;
}

function whenSignedIn(session: Session, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (session.value.status !== 'signedIn' && !signal.aborted) return;
      unsubscribe();
      signal.removeEventListener('abort', look);
      resolve();
    };
    const unsubscribe = session.subscribe(look);
    signal.addEventListener('abort', look);
    look();
  });
}

/** Patients' names must not be left for whoever signs in next; the same person finds everything as it was. */
function forgetOnOtherPerson(session: Session, forget: () => void): void {
  let lastUser: string | undefined;
  session.subscribe(() => {
    const user = session.user?.id;
    if (user !== undefined && lastUser !== undefined && user !== lastUser) forget();
    if (session.value.status === 'signedOut' && session.value.why === 'left') forget();
    lastUser = user ?? lastUser;
  });
}

const ServicesContext = createContext<Services | undefined>(undefined);

export const ServicesProvider = ServicesContext.Provider;

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (!services) throw new Error('No ServicesProvider above this component');
  return services;
}
