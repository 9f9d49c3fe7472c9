/** Whether a function throws on purpose, as far as can be read: it has `throw`, or calls one of the project's that has it or says so. */
import ts from 'typescript';

/** @param node a function of this project; a call from it counts where what it calls is known by its declaration */
export function mayThrow(node: ts.FunctionLikeDeclaration, checker: ts.TypeChecker): boolean {
  return finds(node, (call) => calledThrows(call, checker));
}

/** @param byCall whether a call throws */
function finds(node: ts.FunctionLikeDeclaration, byCall: (call: ts.CallExpression) => boolean): boolean {
  let found = false;
  const visit = (each: ts.Node): void => {
    // What is caught there is not thrown here; what is thrown in what is caught there is.
    if (found) return;
    if (ts.isTryStatement(each) && each.catchClause !== undefined) {
      visit(each.catchClause);
      if (each.finallyBlock !== undefined) visit(each.finallyBlock);
      return;
    }
    if (ts.isThrowStatement(each)) found = true;
    else if (ts.isCallExpression(each) && byCall(each)) found = true;
    // What is handed on runs elsewhere, if ever.
    else if (!ts.isFunctionLike(each)) ts.forEachChild(each, visit);
  };
  if (node.body !== undefined) ts.forEachChild(node.body, visit);
  return found;
}

function calledThrows(call: ts.CallExpression, checker: ts.TypeChecker): boolean {
  const declaration = checker.getResolvedSignature(call)?.declaration;
  if (declaration === undefined || declaration.getSourceFile().isDeclarationFile) return false;
  if (ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === 'throws')) return true;
  return ts.isFunctionDeclaration(declaration) && finds(declaration, () => false);
}
