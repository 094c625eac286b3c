import { expect, it } from 'vitest';
import { formatPersonName } from './person-name.js';

it.each([
  ['Doe^Jane', 'Doe, Jane'],
  ['Doe', 'Doe'],
  ['Doe^Jane^Mary', 'Doe, Jane Mary'],
  ['Adams^John^Robert Quincy^Rev.^B.A. M.Div.', 'Adams, Rev. John Robert Quincy, B.A. M.Div.'],
  ['^Jane', 'Jane'],
  ['Yamada^Tarou=山田^太郎=やまだ^たろう', 'Yamada, Tarou (山田 太郎)'],
  ['=山田^太郎', '山田 太郎'],
  ['Hong^Gildong=洪^吉洞=홍^길동', 'Hong, Gildong (洪 吉洞)'],
  ['==やまだ^たろう', 'やまだ たろう'],
  ['やまだ^たろう', 'やまだ たろう'],
  ['Wang^XiaoDong=王^小东=', 'Wang, XiaoDong (王 小东)'],
  ['', ''],
  ['^^^^', ''],
])('%s reads %s', (name, expected) => {
  expect(formatPersonName(name)).toBe(expected);
});
