import type { TokenText } from '../contract/token-text.ts'

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of a token for `logprobs`; incomplete UTF-8 is written as `bytes:\xe2\x80`, as in OpenAI's API. */
export function tokenLabel(text: TokenText, tokenId: number): string {
  const bytes = text.bytes(tokenId)
  try {
    return STRICT_UTF8.decode(bytes)
  } catch {
    return `bytes:${Array.from(bytes, byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`
  }
}
