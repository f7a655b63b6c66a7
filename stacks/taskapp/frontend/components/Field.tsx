interface Props extends React.InputHTMLAttributes<HTMLInputElement> {
  id: string;
  label: string;
  hint?: string;
  error?: string;
}

/** A labelled input whose hint and error are announced with it. */
export function Field({ id, label, hint, error, ...input }: Props) {
  const notes = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} name={id} aria-invalid={Boolean(error)} aria-describedby={notes || undefined} {...input} />
      {error ? (
        <p className="field-error" id={`${id}-error`} role="alert">{error}</p>
      ) : (
        hint && <p className="hint" id={`${id}-hint`}>{hint}</p>
      )}
    </div>
  );
}
