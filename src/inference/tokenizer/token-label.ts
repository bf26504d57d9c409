import type { TokenText } from '../contract/token-text.ts'

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A token's own text for `logprobs`; one that is not whole UTF-8 is written `bytes:\xe2\x80`, as OpenAI does. */
export function tokenLabel(text: TokenText, tokenId: number): string {
  const bytes = text.bytes(tokenId)
  try {
    return STRICT_UTF8.decode(bytes)
  } catch {
    return `bytes:${Array.from(bytes, byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`
  }
}
