import { Link } from 'react-router';
import { PageHeading } from '../ui/PageHeading.js';

export function NotFound() {
  return (
    <div className="stack">
      <PageHeading title="Page not found" />
      <p className="muted">There is no page at this address. It may have been moved, or mistyped.</p>
      <div className="row">
        <Link className="button button-primary" to="/">
          Send studies
        </Link>
        <Link className="button" to="/uploads">
          See your uploads
        </Link>
      </div>
    </div>
  );
}
