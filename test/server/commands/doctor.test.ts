import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { doctorCommand } from '../../../src/server/commands/doctor.ts'
import { recordingReporter, temporaryFolder } from '../download/fetch-parts.ts'

it('goes through all of it with a real model, and ends well', async () => {
  const folder = await temporaryFolder()
  await cp('test/fixtures/families/llama', join(folder, 'llama'), { recursive: true })
  const emitted = await run(['--model', join(folder, 'llama'), '--models-folder', folder, '--port', '0'])
  expect(emitted.error).toBeNull()
  for (const name of ['Node', 'ONNX Runtime', 'processor', 'port', 'Redis', 'model', 'graph', 'memory', 'cache', 'loading', 'prefixes'])
    expect(emitted.text).toMatch(new RegExp(`^(ok|note) +${name} `, 'm'))
  expect(emitted.text).not.toContain('PROBLEM')
})

it('says what to type, and ends with 1', async () => {
  const emitted = await run(['--models-folder', await temporaryFolder(), '--port', '0'])
  expect(emitted.error).toMatchObject({ exitCode: 1, message: 'there is a problem' })
  expect(emitted.text).toMatch(/^PROBLEM +model .* is not here .*\n +-> npx everstream models pull smollm2-135m-instruct$/m)
})

it('refuses a mistake with 2', async () => {
  expect((await run(['--prot', '1'])).error).toMatchObject({ exitCode: 2, message: 'unknown option --prot: did you mean --port?' })
})

async function run(argv: readonly string[]) {
  const reporter = recordingReporter()
  const error = await doctorCommand.run(argv, { environment: {}, reporter }).then(
    () => null,
    (reason: unknown) => reason
  )
  return { error, text: reporter.lines.join('\n') }
}
