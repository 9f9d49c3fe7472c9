/** The public interface as src/index.ts exports it: what each thing is called, what it says of itself, and where it stands. */
import { join, relative } from 'node:path';
import ts from 'typescript';
import { mayThrow } from './throwing.ts';

/** One thing that src/index.ts exports. */
export interface Exported {
  readonly name: string;
  readonly kind: 'function' | 'class' | 'type' | 'constant';
  /** The path of its source below the root. */
  readonly source: string;
  /** Its declaration in TypeScript, without what it does; of an overloaded function all that can be called. */
  readonly signature: string;
  readonly doc: Doc;
  /** Functions and methods in it that throw by what they or those that they call do, and do not say so. */
  readonly silentThrows: readonly string[];
}

/** What a docstring says. */
export interface Doc {
  readonly text: string;
  readonly params: readonly { readonly name: string; readonly text: string }[];
  readonly returns: string | undefined;
  readonly throws: readonly string[];
}

/** @param root the folder with tsconfig.json. @returns what is exported, in the order of src/index.ts */
export function readInterface(root: string): Exported[] {
  const configFile = join(root, 'tsconfig.json');
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(configFile, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    root,
  );
  const index = join(root, 'src', 'index.ts');
  const program = ts.createProgram([index], { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(index);
  const module = file && checker.getSymbolAtLocation(file);
  if (module === undefined) throw new Error('src/index.ts exports nothing');
  const exported = checker.getExportsOfModule(module);
  exported.sort((left, right) => (left.declarations?.[0]?.pos ?? 0) - (right.declarations?.[0]?.pos ?? 0));
  return exported.map((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return describe(symbol.name, target.declarations ?? [], { root, checker, from: exportedFrom(symbol) });
  });
}

/** The module that src/index.ts takes something from, which may have it from another package. */
function exportedFrom(symbol: ts.Symbol): string {
  const [specifier] = symbol.declarations ?? [];
  const from =
    specifier !== undefined && ts.isExportSpecifier(specifier) ? specifier.parent.parent.moduleSpecifier : undefined;
  return from !== undefined && ts.isStringLiteral(from) ? join('src', from.text) : join('src', 'index.ts');
}

interface Surroundings {
  readonly root: string;
  /** As of exportedFrom(). */
  readonly from: string;
  readonly checker: ts.TypeChecker;
}

function describe(
  name: string,
  declarations: readonly ts.Declaration[],
  { root, checker, from }: Surroundings,
): Exported {
  const [first] = declarations;
  if (first === undefined) throw new Error(`${name} is declared nowhere`);
  // What only serves overloads is nobody's to call.
  const callable = declarations.filter((each) => !ts.isFunctionDeclaration(each) || each.body === undefined);
  const shown = callable.length === 0 ? declarations : callable;
  const file = first.getSourceFile();
  return {
    name,
    kind: kindOf(first),
    source: file.isDeclarationFile ? from : relative(root, file.fileName),
    signature: shown.map(signatureOf).join('\n'),
    doc: docOf(shown),
    silentThrows: silentThrows(name, declarations, checker),
  };
}

function kindOf(node: ts.Declaration): Exported['kind'] {
  if (ts.isFunctionDeclaration(node)) return 'function';
  if (ts.isClassDeclaration(node)) return 'class';
  return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ? 'type' : 'constant';
}

/** A declaration as it stands, its comments inside included, without bodies and without what is private. */
function signatureOf(node: ts.Declaration): string {
  if (ts.isFunctionDeclaration(node)) return withoutExport(textUpTo(node, node.body));
  if (ts.isVariableDeclaration(node)) return `const ${node.name.getText()}${typeText(node)};`;
  if (!ts.isClassDeclaration(node)) return withoutExport(node.getText());
  const members = node.members.filter((member) => !isHidden(member)).map(memberText);
  const start = node.members.pos - node.getStart();
  return `${withoutExport(node.getText().slice(0, start))}\n${members.join('\n')}\n}`;
}

function typeText({ type, initializer }: ts.VariableDeclaration): string {
  return type === undefined ? ` = ${initializer?.getText() ?? ''}` : `: ${type.getText()}`;
}

function isHidden(member: ts.ClassElement): boolean {
  return (
    (member.name !== undefined && ts.isPrivateIdentifier(member.name)) ||
    ts.isClassStaticBlockDeclaration(member) ||
    (ts.canHaveModifiers(member) &&
      (ts.getModifiers(member) ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword))
  );
}

/** A member of a class with its comment, without what it does. */
function memberText(member: ts.ClassElement): string {
  const body = 'body' in member ? (member.body as ts.Node | undefined) : undefined;
  const value = ts.isPropertyDeclaration(member) && member.type !== undefined ? member.initializer : undefined;
  const comments = ts.getJSDocCommentsAndTags(member).filter((each) => ts.isJSDoc(each));
  const said = textUpTo(member, body ?? value).replace(/\s*=?;?$/, ';');
  return [...comments.map((comment) => indented(comment.getText())), `  ${said}`].join('\n');
}

function indented(comment: string): string {
  return comment
    .split('\n')
    .map((line, index) => `${index === 0 ? '  ' : '   '}${line.trim()}`)
    .join('\n');
}

function textUpTo(node: ts.Node, end: ts.Node | undefined): string {
  const text = node.getText();
  return end === undefined ? text : `${text.slice(0, end.getStart() - node.getStart()).trimEnd()};`;
}

function withoutExport(text: string): string {
  return text.replace(/^export (default )?/, '');
}

/** What the docstrings of a declaration, or of its overloads together, say. */
function docOf(declarations: readonly ts.Declaration[]): Doc {
  // That of a constant stands before the whole statement.
  const nodes = declarations.map((each) => (ts.isVariableDeclaration(each) ? each.parent.parent : each));
  const comments = nodes.flatMap((node) => ts.getJSDocCommentsAndTags(node)).filter((each) => ts.isJSDoc(each));
  const tags = comments.flatMap(({ tags = [] }) => [...tags]);
  const named = (name: string): string[] =>
    tags.filter(({ tagName }) => tagName.text === name).map(({ comment }) => textOf(comment));
  return {
    text: comments.map(({ comment }) => textOf(comment)).join('\n\n'),
    params: tags.flatMap((tag) =>
      ts.isJSDocParameterTag(tag) ? [{ name: tag.name.getText(), text: textOf(tag.comment) }] : [],
    ),
    returns: named('returns')[0],
    throws: named('throws'),
  };
}

function textOf(comment: ts.JSDoc['comment']): string {
  return (ts.getTextOfJSDocComment(comment) ?? '').trim();
}

function silentThrows(name: string, declarations: readonly ts.Declaration[], checker: ts.TypeChecker): string[] {
  return declarations.flatMap((declaration) => {
    const functions: (readonly [string, ts.FunctionLikeDeclaration])[] = ts.isFunctionDeclaration(declaration)
      ? [[name, declaration]]
      : ts.isClassDeclaration(declaration)
        ? declaration.members.flatMap((member) =>
            (ts.isMethodDeclaration(member) || ts.isConstructorDeclaration(member)) && !isHidden(member)
              ? [[`${name}.${member.name?.getText() ?? 'constructor'}`, member] as const]
              : [],
          )
        : [];
    return functions
      .filter(([, each]) => mayThrow(each, checker) && !saysThrows(each, declarations))
      .map(([which]) => which);
  });
}

/** Whether its docstring has @throws; an overload's counts for the function. */
function saysThrows(node: ts.FunctionLikeDeclaration, declarations: readonly ts.Declaration[]): boolean {
  const said = ts.isFunctionDeclaration(node) ? declarations : [node];
  return said.some((each) => ts.getJSDocTags(each).some(({ tagName }) => tagName.text === 'throws'));
}
