import { Component, type ReactNode } from 'react';
import { Logo } from '../ui/Icon.js';

/** The last resort: a fault in a page, or code of it that could not be loaded after an update. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <main className="starting" role="alert">
        <Logo size={56} />
        <h1>This page could not be shown</h1>
        <p className="muted">
          Nothing that has arrived is lost. Reload the page; if a study was being sent, choose its files
          again.
        </p>
        <button type="button" className="button button-primary" onClick={() => window.location.reload()}>
          Reload the page
        </button>
      </main>
    );
  }
}
