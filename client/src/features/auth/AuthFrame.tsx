import type { ReactNode } from 'react';
import { Logo } from '../../ui/Icon.js';
import './auth.css';

/** The page around the sign-in and registration forms. */
export function AuthFrame({ children }: { children: ReactNode }) {
  return (
    <main className="auth">
      <div className="auth-inner">
        <div className="auth-brand">
          <Logo size={40} /> RelayPACS
        </div>
        {children}
      </div>
    </main>
  );
}
