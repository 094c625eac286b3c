import { z } from 'zod';
import { line, plain } from './primitives.js';

export const ROLES = ['Clinician', 'Radiographer', 'Radiologist', 'Admin'] as const;
export type Role = (typeof ROLES)[number];

export const ACCOUNT_STATUSES = ['active', 'pending', 'disabled'] as const;
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/** Roles are matched whatever their case; the answer always carries the spelling of {@link ROLES}. */
export const RoleSchema = z.preprocess(
  (value) =>
    typeof value === 'string' ? (ROLES.find((r) => r.toLowerCase() === value.toLowerCase()) ?? value) : value,
  z.enum(ROLES),
);

/** What FR-AUTH-01 asks of a password; each rule is shown to the person by itself. */
export const PASSWORD_RULES: ReadonlyArray<{ id: string; text: string; holds(password: string): boolean }> = [
  { id: 'length', text: 'At least 12 characters', holds: (p) => [...p].length >= 12 },
  { id: 'upper', text: 'An upper-case letter', holds: (p) => /\p{Lu}/u.test(p) },
  { id: 'lower', text: 'A lower-case letter', holds: (p) => /\p{Ll}/u.test(p) },
  { id: 'digit', text: 'A digit', holds: (p) => /\p{Nd}/u.test(p) },
  { id: 'special', text: 'A special character', holds: (p) => /[^\p{L}\p{Nd}]/u.test(p) },
  // bcrypt silently ignores everything after 72 bytes: refuse what it would not look at.
  {
    id: 'bytes',
    text: 'At most 72 bytes',
    holds: (p) => new TextEncoder().encode(p).length <= 72,
  },
];

export const PasswordSchema = z.string().check((ctx) => {
  for (const rule of PASSWORD_RULES) {
    if (!rule.holds(ctx.value)) {
      ctx.issues.push({ code: 'custom', message: `The password needs: ${rule.text}`, input: ctx.value });
    }
  }
});

export const UsernameSchema = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{2,63}$/, '3 to 64 letters, digits, dots, dashes or underscores');

export const RegisterRequestSchema = z.strictObject({
  username: UsernameSchema,
  email: z.email('An email address is needed').max(254),
  password: PasswordSchema,
  fullName: line(200).optional(),
  /** The clinic or unit the account works at; studies can be routed by it. */
  facility: line(128).optional(),
  role: RoleSchema,
});
export type RegisterRequest = z.infer<typeof RegisterRequestSchema>;

export const LoginRequestSchema = z.strictObject({
  username: plain(254).min(1, 'The username is needed'),
  password: z.string().min(1, 'The password is needed').max(1024),
  totp: plain(64).optional(),
});
export type LoginRequest = z.infer<typeof LoginRequestSchema>;

export const RefreshRequestSchema = z.strictObject({ refreshToken: plain(256).optional() });

export const PreferencesSchema = z.object({
  defaultServiceLevel: z.enum(['routine', 'emergency', 'stat']),
  chunkSize: z.number().int(),
  duplicateWarnings: z.boolean(),
});
export type Preferences = z.infer<typeof PreferencesSchema>;

export const UserSchema = z.object({
  id: z.string(),
  username: z.string(),
  email: z.string(),
  fullName: z.string().nullable(),
  facility: z.string().nullable(),
  role: z.enum(ROLES),
  status: z.enum(ACCOUNT_STATUSES),
  totpEnabled: z.boolean(),
  preferences: PreferencesSchema,
  createdAt: z.iso.datetime(),
});
export type User = z.infer<typeof UserSchema>;

export const RegisterResponseSchema = z.object({ user: UserSchema, pendingApproval: z.boolean() });
export type RegisterResponse = z.infer<typeof RegisterResponseSchema>;

/** `refreshToken` stands in the body only with `?tokenDelivery=body`; otherwise it is a cookie. */
export const SessionSchema = z.object({
  accessToken: z.string(),
  /** Seconds until the access token ends. */
  expiresIn: z.number().int(),
  user: UserSchema,
  refreshToken: z.string().optional(),
});
export type Session = z.infer<typeof SessionSchema>;
