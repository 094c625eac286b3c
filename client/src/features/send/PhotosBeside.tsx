import { useServices } from '../../app/services.js';
import { count } from '../../ui/format.js';
import type { FoundStudy } from './grouping.js';
import { PhotoStrip } from './PhotoStrip.js';

/** Photos picked together with a study, and whether they are of the same patient and examination. */
export function PhotosBeside({ study }: { study: FoundStudy }) {
  const { draft } = useServices();
  const belong = study.photos.length > 0;
  const one = study.photosBeside === 1;
  return (
    <div className="stack photos-beside">
      <label className="switch">
        <input
          type="checkbox"
          role="switch"
          aria-checked={belong}
          checked={belong}
          onChange={(event) => draft.setPhotosApart(!event.target.checked)}
        />
        <span>
          {one ? 'This photo belongs to this study' : 'These photos belong to this study'}
          <span className="muted small switch-hint">
            {belong
              ? `${count(study.photosBeside, 'photo')} will be sent with it.`
              : `${count(study.photosBeside, 'photo')}, listed as a study of ${one ? 'its' : 'their'} own below.`}
          </span>
        </span>
      </label>
      {belong && <PhotoStrip photos={study.photos} />}
    </div>
  );
}
