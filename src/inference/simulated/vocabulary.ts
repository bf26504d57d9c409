/** Ids below this are bytes of UTF-8, so that every prompt can be encoded. */
const BYTES = 256

const BEGINNINGS = ['ba', 'co', 'di', 'fu', 'ge', 'ho', 'ki', 'lu', 'mé', 'nö', 'pra', 'stri', 'ßu', 'жа', '水', '🌊']
const ENDINGS = ['n', 'ra', 'lle', 'mo', 'sti', 'tu', 'vek', 'xa', 'zé', 'ñol', 'ком', '火', '🔥', '.', ',', '…']

/** Ids from BYTES on: the words that the simulated engine generates, with characters of one to four bytes. */
export const SIMULATED_WORDS: readonly string[] = BEGINNINGS.flatMap(beginning => ENDINGS.map(ending => ` ${beginning}${ending}`))

const ENCODER = new TextEncoder()
const TOKEN_BYTES: readonly Uint8Array[] = [
  ...Array.from({ length: BYTES }, (_, byte) => Uint8Array.of(byte)),
  ...SIMULATED_WORDS.map(word => ENCODER.encode(word))
]

export const SIMULATED_VOCABULARY_SIZE = BYTES + SIMULATED_WORDS.length

/** One line per message. The simulated engine does not read the prompt. */
export const SIMULATED_CHAT_TEMPLATE =
  "{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"

/** Token ids of a text: its UTF-8 bytes. */
export function encodeSimulated(text: string): number[] {
  return Array.from(ENCODER.encode(text))
}

/** The bytes of a token; none for an id outside the vocabulary. */
export function simulatedBytes(tokenId: number): Uint8Array {
  return TOKEN_BYTES[tokenId] ?? new Uint8Array(0)
}

/** Maps any non-negative integer to the token of a word. */
export function wordToken(index: number): number {
  return BYTES + (index % SIMULATED_WORDS.length)
}

/** The text of a token alone; a byte that is not a character is written `bytes:\xe2`. */
export function simulatedLabel(tokenId: number): string {
  if (tokenId >= BYTES) return SIMULATED_WORDS[tokenId - BYTES] ?? ''
  return tokenId < 0x80 ? String.fromCharCode(tokenId) : `bytes:\\x${tokenId.toString(16)}`
}
