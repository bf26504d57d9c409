/**
 * Byte-level BPE writes each byte as one printable character: printable ASCII and Latin-1 as themselves, the other 68
 * bytes as U+0100 and up. Source: Radford et al. 2019, `bytes_to_unicode` of the GPT-2 release.
 */
const CHARACTERS: readonly string[] = byteCharacters()
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = new Map(CHARACTERS.map((character, byte) => [character, byte]))

const UTF8 = new TextEncoder()

function byteCharacters(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    return String.fromCharCode(isPrintable ? byte : next++)
  })
}

/** The UTF-8 bytes of a text, each as its byte-level character. */
export function byteLevelText(text: string): string {
  let characters = ''
  for (const byte of UTF8.encode(text)) characters += CHARACTERS[byte]
  return characters
}

/** The bytes of a byte-level token; characters outside the alphabet are encoded as UTF-8. */
export function byteLevelBytes(token: string): Uint8Array {
  const bytes: number[] = []
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character)
    if (byte === undefined) bytes.push(...UTF8.encode(character))
    else bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

/** The bytes of a SentencePiece token: `▁` is a space, `<0xE2>` a byte. */
export function sentencePieceBytes(token: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1]
  return byte === undefined ? UTF8.encode(token.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(byte, 16))
}
