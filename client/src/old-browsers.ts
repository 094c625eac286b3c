/**
 * The few functions that our code or our libraries call and the oldest supported browsers lack: Chrome and Edge 90,
 * Firefox 88, Safari 14 (C-TECH-01). The syntax is translated by the build.
 */
function define(target: object, name: string, value: unknown): void {
  if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
}

function at(this: ArrayLike<unknown>, index: number): unknown {
  return this[index < 0 ? this.length + index : index];
}

define(Array.prototype, 'at', at);
define(Object.getPrototypeOf(Uint8Array.prototype) as object, 'at', at);
define(
  Object,
  'hasOwn',
  (object: object, key: PropertyKey) => Object.getOwnPropertyDescriptor(object, key) !== undefined,
);
