import { z } from 'zod'
import type { ToolCallFormat } from '../../inference/contract/text-port.ts'
import { jsonFault } from '../wire/fields/json-bounds.ts'

export interface ToolCall {
  readonly name: string
  /** JSON. */
  readonly arguments: string
}

/** What a piece of an answer comes to: text for the reader, and calls that are complete. */
export interface Read {
  readonly content: string
  readonly calls: readonly ToolCall[]
}

/**
 * Finds calls in the text of one choice as it comes. Text that might begin a call is held back; what turns out to be
 * none is given out as it was.
 */
export interface ToolCallReader {
  push(text: string): Read
  end(): Read
}

export function toolCallReader(format: ToolCallFormat): ToolCallReader {
  switch (format) {
    case 'hermes':
      return taggedCalls()
    case 'llama3':
      return jsonAnswer('', text => callsOf(parseJson(`[${text.replaceAll(/\}\s*;\s*\{/g, '},{')}]`)))
    case 'mistral':
      return jsonAnswer('[TOOL_CALLS]', text => callsOf(parseJson(text)))
    default:
      return format satisfies never
  }
}

const OPEN = '<tool_call>'
const CLOSE = '</tool_call>'

/**
 * `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, between texts if the model likes. White space around calls is
 * nobody's.
 */
function taggedCalls(): ToolCallReader {
  let held = ''
  /** What stands for the beginning of a call that turns out to be none. */
  let opening = OPEN
  let isInside = false
  let hasCalled = false

  function read(isEnd: boolean): Read {
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
    const [call] = callsOf([parseJson(json)]) ?? []
    if (call === undefined) return otherwise
    calls.push(call)
    hasCalled = true
    return ''
  }

  /** A call that the model's end cut off behind its JSON is a call. */
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

/** Length of the end of a text that may be the space before a call and the beginning of its tag. */
function undecided(text: string): number {
  let tag = Math.min(text.length, OPEN.length - 1)
  while (tag > 0 && !text.endsWith(OPEN.slice(0, tag))) tag--
  const before = text.slice(0, text.length - tag)
  return tag + before.length - before.trimEnd().length
}

/** An answer that is calls and nothing else, known as such by its end. */
function jsonAnswer(marker: string, parse: (text: string) => readonly ToolCall[] | null): ToolCallReader {
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
      // The marker is a control token, which most tokenizers leave out of the text.
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

/** Null for what is no JSON, or nests deeper than a client could send back. */
function parseJson(text: string): unknown {
  if (jsonFault(text) !== null) return null
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
