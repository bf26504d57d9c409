import { globSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, it } from 'vitest'

/** Words that stand for a metaphor where the field has a term; CONTRIBUTING.md lists the terms. */
const REPLACED_WORDS = new Set([
  ...['seat', 'seats', 'seating', 'heir', 'heirs', 'legacies', 'remains', 'salvage', 'shelf', 'shelved', 'bell', 'bells'],
  ...['deed', 'deeds', 'witness', 'milestone', 'milestones', 'outbox', 'outboxes', 'ticket', 'tickets', 'unattended'],
  ...['neglect', 'attend', 'tally', 'journal', 'opener', 'openers', 'standing', 'standings', 'temper', 'comeback'],
  ...['continuity', 'upkeep', 'forgive', 'forgiven', 'goodbye', 'obey', 'likeliest', 'survey', 'skippable', 'told'],
  ...['said', 'wanted', 'house', 'asked', 'unasked']
])
/** Names that consist of one ordinary word: replaced only where they stand alone. */
const REPLACED_NAMES = new Set(['place', 'places', 'hear', 'tell', 'tells', 'say', 'says', 'sayHello', 'notes', 'terms', 'jobBook'])
const FILES = globSync('{src,test,load,bin}/**/*.{ts,mjs,lua}').filter(file => !/node_modules|test\/architecture\/names/.test(file))

it('names things by the terms of the field, in identifiers', () => {
  const found = FILES.filter(file => file.endsWith('.ts')).flatMap(file =>
    identifiersOf(readFileSync(file, 'utf8'))
      .filter(isReplaced)
      .map(name => `${file}: ${name}`)
  )
  expect([...new Set(found)]).toEqual([])
})

it('names things by the terms of the field, in file names', () => {
  const found = FILES.filter(file => file.split(/[/.-]/).some(word => REPLACED_WORDS.has(word)))
  expect(found).toEqual([])
})

it('distinguishes a replaced name from a kept one', () => {
  expect(['#seat', 'BullSeat', 'toldPosition', 'places', 'tell'].filter(isReplaced)).toHaveLength(5)
  expect(['inPlace', 'deadline', 'pipeline', 'listener', 'housekeeping', 'tellers'].filter(isReplaced)).toEqual([])
})

function isReplaced(identifier: string): boolean {
  const name = identifier.replace(/^#/, '')
  return REPLACED_NAMES.has(name) || wordsOf(name).some(word => REPLACED_WORDS.has(word))
}

/** `BullSeat`, `bull_seat`, `BULL_SEAT` → bull, seat. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .split(/[_$]+/)
    .map(word => word.toLowerCase())
}

function identifiersOf(source: string): string[] {
  const names: string[] = []
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest)
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) names.push(node.text)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return names
}
