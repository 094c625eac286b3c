import { useEffect, useState } from 'react';
import { useServices } from '../../app/services.js';
import { count } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import type { PickedPhoto } from './grouping.js';

/** Photos shown: each has to be decoded in full, and a phone has little memory. */
const SHOWN = 24;

/** The photos that will be sent, so that nobody sends the wrong ones. */
export function PhotoStrip({ photos }: { photos: readonly PickedPhoto[] }) {
  const { draft } = useServices();
  if (photos.length === 0) return null;
  return (
    <>
      <ul className="photos">
        {photos.slice(0, SHOWN).map((photo, index) => (
          <li key={photo.path}>
            <PhotoPreview photo={photo} number={index + 1} />
            <button
              type="button"
              className="photo-remove"
              aria-label={`Leave out photo ${index + 1}, ${photo.path}`}
              onClick={() => draft.remove(photo.file)}
            >
              <span>
                <Icon name="close" size={16} />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {photos.length > SHOWN && (
        <p className="muted small">and {count(photos.length - SHOWN, 'more photo')}</p>
      )}
    </>
  );
}

function PhotoPreview({ photo: { file, path, photo }, number }: { photo: PickedPhoto; number: number }) {
  const [url, setUrl] = useState<string>();

  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);

  return (
    <img
      className="photo"
      src={url}
      alt={`${number}: ${path}`}
      width={photo.width}
      height={photo.height}
      loading="lazy"
      decoding="async"
    />
  );
}
