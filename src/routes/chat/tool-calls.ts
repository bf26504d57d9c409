import { z } from 'zod'
import type { ToolCallFormat } from '../../inference/contract/text-port.ts'
import { jsonFault, parseJson } from '../wire/json/json-bounds.ts'

export interface ToolCall {
  readonly name: string
  /** JSON. */
  readonly arguments: string
}

/** The content and the complete calls of a piece of a message. */
export interface ParsedText {
  readonly content: string
  readonly calls: readonly ToolCall[]
}

/**
 * Incremental parser for tool calls in the text of one choice. Text that may begin a call is held back, and released
 * unchanged if it turns out to be no call.
 */
export interface ToolCallReader {
  push(text: string): ParsedText
  end(): ParsedText
}

export function toolCallReader(format: ToolCallFormat): ToolCallReader {
  switch (format) {
    case 'hermes':
      return taggedCalls()
    case 'llama3':
      return jsonMessage('', text => callsOf(parseBounded(`[${text.replaceAll(/\}\s*;\s*\{/g, '},{')}]`)))
    case 'mistral':
      return jsonMessage('[TOOL_CALLS]', text => callsOf(parseBounded(text)))
    default:
      return format satisfies never
  }
}

const OPEN = '<tool_call>'
const CLOSE = '</tool_call>'

/**
 * `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, with optional text around it. White space next to calls is
 * dropped.
 */
function taggedCalls(): ToolCallReader {
  let held = ''
  /** White space and tag before the current call: released as text if it turns out to be no call. */
  let opening = OPEN
  let isInside = false
  let hasCalled = false

  function read(isEnd: boolean): ParsedText {
    let content = ''
    const calls: ToolCall[] = []
    for (;;) {
      const tag = isInside ? CLOSE : OPEN
      const at = held.indexOf(tag)
      if (at < 0) break
      const before = held.slice(0, at)
      held = held.slice(at + tag.length)
      if (isInside) {
        content += take(before, opening + before + CLOSE, calls)
      } else {
        const text = before.trimEnd()
        opening = before.slice(text.length) + OPEN
        content += text
      }
      isInside = !isInside
    }
    if (isEnd) return { content: content + rest(calls), calls }
    if (!isInside) {
      const free = held.slice(0, held.length - undecided(held))
      held = held.slice(free.length)
      content += free
    }
    return { content, calls }
  }

  function take(json: string, otherwise: string, calls: ToolCall[]): string {
    const [call] = callsOf([parseBounded(json)]) ?? []
    if (call === undefined) return otherwise
    calls.push(call)
    hasCalled = true
    return ''
  }

  /** A call whose closing tag is missing at the end of the text counts if its JSON is complete. */
  function rest(calls: ToolCall[]): string {
    if (isInside) return take(held, opening + held, calls)
    return hasCalled ? held.trimEnd() : held
  }

  return {
    push(text) {
      held += text
      return read(false)
    },
    end: () => read(true)
  }
}

/** Length of the end of a text that may be white space before a call and the start of its tag. */
function undecided(text: string): number {
  let tag = Math.min(text.length, OPEN.length - 1)
  while (tag > 0 && !text.endsWith(OPEN.slice(0, tag))) tag--
  const before = text.slice(0, text.length - tag)
  return tag + before.length - before.trimEnd().length
}

/** A message that consists of calls only, which is known at its end. */
function jsonMessage(marker: string, parse: (text: string) => readonly ToolCall[] | null): ToolCallReader {
  const first = marker === '' ? '{' : '['
  let held = ''
  let isText = false
  return {
    push(text) {
      if (isText) return { content: text, calls: [] }
      held += text
      const begun = held.trimStart()
      if (begun === '' || begun.startsWith(first)) return { content: '', calls: [] }
      isText = true
      return { content: held, calls: [] }
    },
    end() {
      if (isText) return { content: '', calls: [] }
      // Most tokenizers omit the marker, a control token, from the text.
      const json = held.trim()
      const calls = parse(json.startsWith(marker) ? json.slice(marker.length) : json)
      return calls === null ? { content: held, calls: [] } : { content: '', calls }
    }
  }
}

const Call = z
  .object({ name: z.string().min(1), arguments: z.looseObject({}).optional(), parameters: z.looseObject({}).optional() })
  .transform((call): ToolCall => ({ name: call.name, arguments: JSON.stringify(call.arguments ?? call.parameters ?? {}) }))
const Calls = z.array(Call).min(1)

function callsOf(json: unknown): readonly ToolCall[] | null {
  return Calls.safeParse(json).data ?? null
}

/** Undefined for a text that is not JSON, or exceeds the bounds within which a client can send it back. */
function parseBounded(text: string): unknown {
  return jsonFault(text) === null ? parseJson(text) : undefined
}
