import { seededRandom } from './random.ts'

/** Common English words; most are one token in tokenizers for English. */
const WORDS = `the of and to in is was for that on with as by at from it an are this be which or had not were but have one their new more
people who all also there been time over two after first would about other some into only year years most city state no them three then
each where many work used part between under same made world place long these during several both number because before high name system
small great group early house well found large life area any day line war left end second called order side down family still national
old become north south east west water near river town school church village local since until government power king country land set
show team game play season music song book story written science history form common different English young head best field open point
light white black red road park built company president member another night music market winter summer island mountain forest garden
bridge letter teacher student question answer reason animal horse bird tree stone iron silver bread coffee kitchen window morning evening`
  .trim()
  .split(/\s+/)

const PROMPT_WORDS = 48

/**
 * Prompt number `index`, `PROMPT_WORDS` words long: always the same text; prompts differ from one another in their
 * first words.
 */
export function promptAt(index: number): string {
  const random = seededRandom(0x5eed + index * 7919)
  return Array.from({ length: PROMPT_WORDS }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ')
}
