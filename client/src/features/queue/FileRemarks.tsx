interface FileRemarksProps {
  repairs: readonly string[];
  warnings: readonly string[];
}

/** What was repaired of a file, and what else was noticed. */
export function FileRemarks({ repairs, warnings }: FileRemarksProps) {
  return (
    <ul className="muted small">
      {repairs.map((message) => (
        <li key={message}>Repaired on the way: {message}</li>
      ))}
      {warnings.map((message) => (
        <li key={message}>{message}</li>
      ))}
    </ul>
  );
}
