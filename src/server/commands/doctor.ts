import { DOCTOR_OPTIONS, readDoctorConfig } from '../config/doctor-config.ts'
import { ExitError } from '../config/exit-error.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/finding.ts'
import type { Command } from './command.ts'

const MARKS = { ok: 'ok     ', info: 'info   ', problem: 'PROBLEM' } as const satisfies Record<Finding['state'], string>
const NAME_WIDTH = 13

/** Checks what `serve` depends on. */
export const doctorCommand: Command = {
  name: 'doctor',
  usage: '[options]',
  summary: 'Check this machine and suggest a fix for each problem.',
  details: [
    'Checks the runtime, the processor, the port, Redis (with --redis-url), the model, the memory, and whether the results',
    'of the model are deterministic. Takes a few seconds, as it reads and loads the model. Pass the same options as to serve.',
    'A problem results in exit code 1.'
  ],
  options: DOCTOR_OPTIONS,

  async run(argv, { environment, reporter }) {
    let problems = 0
    for await (const { name, state, text, todo } of examine(readDoctorConfig(argv, environment))) {
      if (state === 'problem') problems++
      reporter.line(`${MARKS[state]}  ${name.padEnd(NAME_WIDTH)} ${text}`)
      if (todo !== null) reporter.line(`${''.padEnd(MARKS[state].length + NAME_WIDTH + 3)}-> ${todo}`)
    }
    if (problems > 0) throw new ExitError(1, problems === 1 ? 'found 1 problem' : `found ${problems} problems`)
    reporter.line('No problems found. Start the server with: npm start')
  }
}
