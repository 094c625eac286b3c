/** A file dropped beside the drop area would make the browser open it, and leave the page. */
export function ignoreStrayDrops(page: Window): void {
  const ignore = (event: DragEvent) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  };
  page.addEventListener('dragover', ignore);
  page.addEventListener('drop', ignore);
}
