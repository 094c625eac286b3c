import { PASSWORD_RULES } from '@relaypacs/core/contract/accounts.js';
import { Icon } from '../../ui/Icon.js';

/** Which rules the password meets so far. */
export function PasswordRules({ password }: { password: string }) {
  // Nobody meets the upper bound by accident: it is shown when it is broken.
  const rules = PASSWORD_RULES.filter((rule) => rule.id !== 'bytes' || !rule.holds(password));
  return (
    <ul className="rules" aria-label="Rules for the password">
      {rules.map((rule) => {
        const holds = rule.holds(password);
        return (
          <li key={rule.id} className={holds ? 'rule-holds' : ''}>
            <span className="rule-mark" aria-hidden="true">
              {holds ? <Icon name="check" size={18} /> : <span className="rule-open" />}
            </span>
            {rule.text}
            <span className="visually-hidden">{holds ? ': met' : ': not met yet'}</span>
          </li>
        );
      })}
    </ul>
  );
}
