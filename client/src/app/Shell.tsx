import { Link, NavLink, Outlet } from 'react-router';
import { Icon, Logo } from '../ui/Icon.js';
import { useStore } from '../ui/use-store.js';
import { AccountMenu } from './AccountMenu.js';
import { NetworkSign } from './NetworkSign.js';
import { useServices } from './services.js';
import { UpdateBanner } from './UpdateBanner.js';
import './shell.css';

/** The frame around every page of somebody who is signed in. */
export function Shell() {
  const { engine, network, session } = useServices();
  useStore(session);
  const studies = useStore(engine);
  const { online } = useStore(network);
  const underWay = studies.filter(({ phase }) => !['sent', 'failed', 'cancelled'].includes(phase)).length;
  const needsAnswer = studies.some(({ phase }) => phase === 'duplicate' || phase === 'failed');
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <header className="bar">
        <div className="bar-inner">
          <Link className="brand" to="/">
            <Logo /> <span>RelayPACS</span>
          </Link>
          <nav className="nav" aria-label="Main">
            <NavLink to="/" end>
              <Icon name="send" size={22} />
              <span>Send</span>
              {needsAnswer ? (
                <span className="nav-count nav-count-alert">
                  <span aria-hidden="true">!</span>
                  <span className="visually-hidden">, needs your answer</span>
                </span>
              ) : (
                underWay > 0 && (
                  <span className="nav-count">
                    {underWay}
                    <span className="visually-hidden"> being sent</span>
                  </span>
                )
              )}
            </NavLink>
            <NavLink to="/uploads">
              <Icon name="list" size={22} />
              <span>Uploads</span>
            </NavLink>
            {session.user?.role === 'Admin' && (
              <NavLink to="/admin/system">
                <Icon name="server" size={22} />
                <span>System</span>
              </NavLink>
            )}
          </nav>
          <NetworkSign />
          <AccountMenu />
        </div>
      </header>
      {!online && (
        <p className="offline-banner" role="status">
          <Icon name="offline" />
          <span>
            {underWay > 0
              ? 'No network. Sending goes on by itself as soon as it is back.'
              : 'No network. You can choose images now; they are sent when it is back.'}
          </span>
        </p>
      )}
      <UpdateBanner />
      <main id="main" className="page" tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}
