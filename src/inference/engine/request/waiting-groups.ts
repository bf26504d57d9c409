import type { PromptGroup } from '../../scheduler/wait-queue.ts'
import type { Job } from './job.ts'
import type { WaitingChoice } from './prompt-run.ts'
import { Sequence, type SequenceParts } from './sequence.ts'

/** The unfinished choices of a request, in groups that share a prefill. */
export function waitingGroups(job: Job, parts: SequenceParts): WaitingChoice[][] {
  return job.request.prompts.flatMap((_, promptIndex) => {
    const choices = openChoices(job, promptIndex, parts)
    const isAlone = ({ sequence }: WaitingChoice): boolean => sequence.prefillTokenIds.length > sequence.promptTokenIds.length
    return [choices.filter(choice => !isAlone(choice)), ...choices.filter(isAlone).map(choice => [choice])]
  })
}

/** @param choices  of one prompt of the request */
export function toPromptGroup({ request }: Job, choices: readonly WaitingChoice[]): PromptGroup<WaitingChoice> {
  return { requestId: request.id, choices, reservedTokens: choices[0]?.sequence.reservedTokens ?? 0 }
}

function openChoices(job: Job, promptIndex: number, parts: SequenceParts): WaitingChoice[] {
  const { request, history } = job
  const promptTokenIds = request.prompts[promptIndex]?.tokenIds ?? []
  const first = promptIndex * request.choicesPerPrompt
  // Without new tokens the choices of a prompt do not differ: one represents all.
  const count = request.maxNewTokens === 0 ? 1 : request.choicesPerPrompt
  return Array.from({ length: count }, (_, index) => first + index)
    .filter(choice => history.ended[choice] === false)
    .map((choice, index) => ({
      job,
      promptIndex,
      sequence: new Sequence(request, choice, promptTokenIds, history.tokenIds[choice] ?? [], parts),
      isFirst: index === 0
    }))
}
