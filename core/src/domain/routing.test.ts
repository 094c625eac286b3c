import { expect, it } from 'vitest';
import { type Routed, routeStudy } from './routing.js';

const study: Routed = { serviceLevel: 'routine', modalities: ['CT', 'SR'], facility: 'Hill Clinic' };

it('sends what no rule fits to the fallback', () => {
  expect(routeStudy([], study, 'default')).toBe('default');
  expect(routeStudy([{ serviceLevels: ['stat'], target: 'er' }], study, 'default')).toBe('default');
});

it('lets the first rule decide whose conditions all fit', () => {
  const rules = [
    { serviceLevels: ['stat' as const], modalities: ['CT'], target: 'er' },
    { modalities: ['MR', 'CT'], target: 'archive' },
    { target: 'rest' },
  ];
  expect(routeStudy(rules, study, 'default')).toBe('archive');
  expect(routeStudy(rules, { ...study, serviceLevel: 'stat' }, 'default')).toBe('er');
  expect(routeStudy(rules, { ...study, modalities: ['US'] }, 'default')).toBe('rest');
});

it('knows a facility whatever its case, and nobody’s facility by no rule about facilities', () => {
  const rules = [{ facilities: ['hill clinic '], target: 'hill' }];
  expect(routeStudy(rules, study, 'default')).toBe('hill');
  expect(routeStudy(rules, { ...study, facility: null }, 'default')).toBe('default');
});
