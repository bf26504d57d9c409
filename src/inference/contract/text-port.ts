/**
 * Text work that the API process needs; it runs off the event loop, short texts before long ones. All of it may be
 * refused with the ServiceError `queue_full` while too much of it waits.
 */
export interface TextPort {
  readonly vocabularySize: number
  readonly facts: TextFacts
  /** False while texts cannot be processed. */
  readonly isHealthy: boolean
  /**
   * A lower bound of the number of tokens of a text, start token aside, from its characters alone, `enough` at most; 0
   * where nothing is known.
   */
  leastTokens(text: string, enough: number): number
  /** Token ids of a text. Linear in the text's length, hostile texts too. */
  encode(text: string, options?: EncodeOptions): Promise<readonly number[]>
  /** The text of ids, half characters as U+FFFD; nothing for an id outside the vocabulary. */
  decode(tokenIds: readonly number[], options: DecodeOptions): Promise<string>
  /** Each token's own text, as `logprobs` write it: one that is not whole UTF-8 as `bytes:\xe2\x80`. */
  labels(tokenIds: readonly number[], options?: TextWait): Promise<readonly string[]>
  /**
   * A conversation as the model's chat template writes it.
   *
   * @throws {ServiceError} `invalid_request` when the model has no template, when the template refuses the conversation
   *                        (with its words), takes longer than a few seconds or writes too much
   */
  renderChat(conversation: Conversation, options?: TextWait): Promise<string>
  close(): Promise<void>
}

export interface TextWait {
  /**
   * Work of a caller that has gone is dropped if it has not begun; the promise is then rejected with the signal's
   * reason. Also tells which texts are of one request: many short ones come to a long one.
   */
  readonly signal?: AbortSignal
}

export interface EncodeOptions extends TextWait {
  /** Begin with the model's start token where the model wants one: the default. */
  readonly addSpecialTokens?: boolean
}

export interface DecodeOptions extends TextWait {
  readonly skipSpecialTokens: boolean
}

/**
 * How a model writes the calls of tools: `hermes`: `<tool_call>{json}</tool_call>`; `llama3`: the JSON alone;
 * `mistral`: `[TOOL_CALLS] [{json}]`.
 */
export type ToolCallFormat = 'hermes' | 'llama3' | 'mistral'

/** What is known of a tokenizer without asking it. Plain data. */
export interface TextFacts {
  /** Texts of special tokens; null where the model has none. */
  readonly startToken: string | null
  readonly endToken: string | null
  readonly padToken: string | null
  /** null for a model without a chat template. */
  readonly chat: ChatFacts | null
  /** null for a model that was not taught to fill gaps. */
  readonly fillInTheMiddle: FillInTheMiddle | null
  /** What is wrong with the model's files, and what was done about it: a sentence each, for the operator. */
  readonly warnings: readonly string[]
}

/** Ids of the tokens that stand before the text, before what follows the gap, and before what fills it. */
export interface FillInTheMiddle {
  readonly prefix: number
  readonly suffix: number
  readonly middle: number
}

export interface ChatFacts {
  /** The template, as the model's author wrote it. */
  readonly template: string
  /** null: the template does not know tools, or the model writes calls in a way that we do not. */
  readonly toolCalls: ToolCallFormat | null
  /** The template knows the role `developer`; others are told `system`. */
  readonly knowsDeveloper: boolean
}

/** What a chat template is given, in the words that templates use. Plain data. */
export interface Conversation {
  readonly messages: readonly TemplateMessage[]
  /** As the client declared them; null: none. */
  readonly tools: readonly object[] | null
  /** End with the words that begin an answer. */
  readonly addGenerationPrompt: boolean
  /** The template's own switches, such as `enable_thinking`. */
  readonly settings: Readonly<Record<string, unknown>>
}

export interface TemplateMessage {
  readonly role: string
  readonly content: string
  readonly name?: string
  readonly tool_call_id?: string
  readonly tool_calls?: readonly TemplateToolCall[]
}

export interface TemplateToolCall {
  readonly id?: string
  readonly type: 'function'
  /** `arguments` parsed: templates write them as JSON themselves. */
  readonly function: { readonly name: string; readonly arguments: unknown }
}
