import { type ComponentType, lazy, type ReactNode, Suspense, useEffect } from 'react';
import { BrowserRouter, Navigate, Route, Routes, useLocation } from 'react-router';
import { SkeletonCards } from '../ui/Skeleton.js';
import { useStore } from '../ui/use-store.js';
import { ErrorBoundary } from './ErrorBoundary.js';
import { NotFound } from './NotFound.js';
import { Shell } from './Shell.js';
import { Starting } from './Starting.js';
import { useServices } from './services.js';

const SignInPage = page(() => import('../features/auth/SignInPage.js'), 'SignInPage');
const RegisterPage = page(() => import('../features/auth/RegisterPage.js'), 'RegisterPage');
const SendPage = page(() => import('../features/send/SendPage.js'), 'SendPage');
const UploadsPage = page(() => import('../features/queue/UploadsPage.js'), 'UploadsPage');
const SystemPage = page(() => import('../features/system/SystemPage.js'), 'SystemPage');
const UploadPage = page(() => import('../features/queue/UploadPage.js'), 'UploadPage');

/** A page whose code is loaded when it is first shown. */
function page<N extends string>(load: () => Promise<Record<N, ComponentType>>, name: N) {
  return lazy(async () => ({ default: (await load())[name] }));
}

export function App() {
  return (
    <BrowserRouter>
      <ErrorBoundary>
        <Pages />
      </ErrorBoundary>
    </BrowserRouter>
  );
}

function Pages() {
  const { session, network } = useServices();
  const { status } = useStore(session);

  useEffect(() => {
    void session.restore();
    return network.subscribe(() => {
      if (network.online && session.value.status === 'unreachable') void session.restore();
    });
  }, [session, network]);

  if (status === 'starting' || status === 'unreachable')
    return <Starting unreachable={status === 'unreachable'} />;
  return (
    <Suspense fallback={<Starting unreachable={false} />}>
      <Routes>
        <Route path="/sign-in" element={<SignInPage />} />
        <Route path="/register" element={<RegisterPage />} />
        <Route element={<SignedInOnly />}>
          <Route path="/" element={<Lazy page={<SendPage />} />} />
          <Route path="/uploads" element={<Lazy page={<UploadsPage />} />} />
          <Route path="/uploads/:id" element={<Lazy page={<UploadPage />} />} />
          <Route path="/admin/system" element={<Lazy page={<SystemPage />} />} />
          <Route path="*" element={<NotFound />} />
        </Route>
      </Routes>
    </Suspense>
  );
}

/** The frame stays while a page's code is being loaded. */
function Lazy({ page }: { page: ReactNode }) {
  return <Suspense fallback={<SkeletonCards />}>{page}</Suspense>;
}

function SignedInOnly() {
  const { session } = useServices();
  const state = useStore(session);
  const { pathname, search } = useLocation();
  if (state.status !== 'signedIn') {
    // Who comes next after somebody has left may be another person: they begin at the beginning.
    const left = state.status === 'signedOut' && state.why === 'left';
    return <Navigate to="/sign-in" replace state={left ? null : { from: pathname + search }} />;
  }
  return <Shell />;
}
