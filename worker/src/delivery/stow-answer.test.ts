import { expect, it } from 'vitest';
import { readStowAnswer } from './stow-answer.js';

const CT = '1.2.840.10008.5.1.4.1.1.2';

/** Orthanc 1.10.1 to a good, an unreadable and a good part: 400, and no Content-Type. */
const ORTHANC_MIXED = `{
  "00080005" : { "Value" : [ "ISO_IR 192" ], "vr" : "CS" },
  "00081190" : { "Value" : [ "http://127.0.0.1:8042/dicom-web/studies/1.2" ], "vr" : "UR" },
  "00081198" : { "vr" : "SQ" },
  "00081199" : { "Value" : [
    { "00081150" : { "Value" : [ "${CT}" ], "vr" : "UI" },
      "00081155" : { "Value" : [ "1.2.1" ], "vr" : "UI" },
      "00081190" : { "Value" : [ "http://127.0.0.1:8042/dicom-web/studies/1.2/series/1.3/instances/1.2.1" ], "vr" : "UR" } },
    { "00081150" : { "Value" : [ "${CT}" ], "vr" : "UI" },
      "00081155" : { "Value" : [ "1.2.3" ], "vr" : "UI" },
      "00081190" : { "Value" : [ "http://127.0.0.1:8042/dicom-web/studies/1.2/series/1.3/instances/1.2.3" ], "vr" : "UR" } }
  ], "vr" : "SQ" } }`;

/** Orthanc to an instance of another study than the one in the URL: 409. */
const ORTHANC_REFUSED = `{
  "00081198" : { "Value" : [
    { "00081150" : { "Value" : [ "${CT}" ], "vr" : "UI" },
      "00081155" : { "Value" : [ "1.2.1" ], "vr" : "UI" },
      "00081197" : { "Value" : [ 272 ], "vr" : "US" } } ], "vr" : "SQ" },
  "00081199" : { "vr" : "SQ" } }`;

/** dcm4chee-arc leaves empty sequences out and makes UIDs up for parts it cannot read. */
const DCM4CHEE_MIXED = `{"00081190":{"vr":"UR","Value":["http://host:8080/dcm4chee-arc/aets/DCM4CHEE/rs/studies/1.2"]},
 "00081198":{"vr":"SQ","Value":[
   {"00081150":{"vr":"UI","Value":["${CT}"]},"00081155":{"vr":"UI","Value":["1.2.2"]},"00081197":{"vr":"US","Value":[42871]}},
   {"00081150":{"vr":"UI","Value":["${CT}"]},"00081155":{"vr":"UI","Value":["2.25.900"]},"00081197":{"vr":"US","Value":[272]}}]},
 "00081199":{"vr":"SQ","Value":[
   {"00081150":{"vr":"UI","Value":["${CT}"]},"00081155":{"vr":"UI","Value":["1.2.1"]},
    "00081190":{"vr":"UR","Value":["http://host:8080/x"]},"00081196":{"vr":"US","Value":[45056]}}]}}`;

/** Azure says 409 and "duplicate" for what it holds. */
const AZURE_DUPLICATE = `{"00081198":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["${CT}"]},
 "00081155":{"vr":"UI","Value":["1.2.1"]},"00081197":{"vr":"US","Value":[45070]}}]}}`;

/** Google says 409, processing failure and, in an element of its own, "already exists". */
const GOOGLE_MIXED = `{"00081198":{"vr":"SQ","Value":[
   {"00081150":{"vr":"UI","Value":["${CT}"]},"00081155":{"vr":"UI","Value":["1.2.1"]},"00081197":{"vr":"US","Value":[272]},
    "00090010":{"vr":"LO","Value":["GOOGLE"]},"00091097":{"vr":"LT","Value":["instance already exists"]}},
   {"00081150":{"vr":"UI","Value":["${CT}"]},"00081155":{"vr":"UI","Value":["1.2.2"]},"00081197":{"vr":"US","Value":[272]},
    "00090010":{"vr":"LO","Value":["GOOGLE"]},"00091097":{"vr":"LT","Value":["invalid DICOM file"]}}]},
 "00081199":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["${CT}"]},"00081155":{"vr":"UI","Value":["1.2.3"]}}]}}`;

it('takes as stored what Orthanc references, even in a 400, and leaves the rest unknown', () => {
  const { outcomes, unattributed } = readStowAnswer(ORTHANC_MIXED, ['1.2.1', '1.2.2', '1.2.3']);
  expect(Object.fromEntries(outcomes)).toEqual({
    '1.2.1': { kind: 'stored' },
    '1.2.2': { kind: 'unknown' },
    '1.2.3': { kind: 'stored' },
  });
  expect(unattributed).toEqual([]);
});

it('reads a refusal with its reason', () => {
  const { outcomes } = readStowAnswer(ORTHANC_REFUSED, ['1.2.1']);
  expect(outcomes.get('1.2.1')).toEqual({ kind: 'refused', reason: 272 });
});

it('reads warnings and refusals of dcm4chee and keeps apart what names no instance of ours', () => {
  const { outcomes, unattributed } = readStowAnswer(DCM4CHEE_MIXED, ['1.2.1', '1.2.2', '1.2.3']);
  expect(outcomes.get('1.2.1')).toEqual({ kind: 'warning', reason: 45056 });
  expect(outcomes.get('1.2.2')).toEqual({ kind: 'refused', reason: 42871 });
  expect(outcomes.get('1.2.3')).toEqual({ kind: 'unknown' });
  expect(unattributed).toEqual([272]);
});

it('tells what Google holds from what it refuses, and takes as stored what it references in a 409', () => {
  const { outcomes } = readStowAnswer(GOOGLE_MIXED, ['1.2.1', '1.2.2', '1.2.3']);
  expect(Object.fromEntries(outcomes)).toEqual({
    '1.2.1': { kind: 'held', reason: 272 },
    '1.2.2': { kind: 'refused', reason: 272 },
    '1.2.3': { kind: 'stored' },
  });
});

it('takes a duplicate for something to be checked, not for a success or a failure', () => {
  expect(readStowAnswer(AZURE_DUPLICATE, ['1.2.1']).outcomes.get('1.2.1')).toEqual({
    kind: 'held',
    reason: 45070,
  });
});

it.each([
  [42752, 'later'],
  [43264, 'refused'],
  [50329, 'refused'],
  [42871, 'refused'],
  [42875, 'refused'],
  [273, 'held'],
])('takes Failure Reason %i as %s', (reason, kind) => {
  const body = JSON.stringify({
    '00081198': {
      vr: 'SQ',
      Value: [{ '00081155': { vr: 'UI', Value: ['1.2.1'] }, '00081197': { vr: 'US', Value: [reason] } }],
    },
  });
  expect(readStowAnswer(body, ['1.2.1']).outcomes.get('1.2.1')).toMatchObject({ kind });
});

it('reads an answer that is a list, a padded UID and failures without a UID', () => {
  const body = JSON.stringify([
    { '00081199': { vr: 'SQ', Value: [{ '00081155': { vr: 'UI', Value: ['1.2.1\0'] } }] } },
    { '0008119A': { vr: 'SQ', Value: [{ '00081197': { vr: 'US', Value: [49152] } }] } },
  ]);
  const { outcomes, unattributed } = readStowAnswer(body, ['1.2.1']);
  expect(outcomes.get('1.2.1')).toEqual({ kind: 'stored' });
  expect(unattributed).toEqual([49152]);
});

it.each([
  '',
  '500 Internal Server Error',
  '<html></html>',
  'null',
  '{"00081199": 5}',
  '{"00081199":{"Value":[null]}}',
])('knows nothing from the body %j', (body) => {
  const { outcomes, unattributed } = readStowAnswer(body, ['1.2.1']);
  expect(outcomes.get('1.2.1')).toEqual({ kind: 'unknown' });
  expect(unattributed).toEqual([]);
});
