import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '*.config.js', '*.cjs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        // What needs the types of browsers is in tsconfig.browser.json alone.
        projectService: {
          allowDefaultProject: [
            'scripts/build-native.js',
            'src/http/*.browser.ts',
            'src/storage/*.browser.ts',
            'src/vector-sum/*.browser.ts',
            'examples/browser/page.ts',
          ],
          defaultProject: 'tsconfig.browser.json',
        },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Numbers and big integers in messages are what most of our messages are about.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      // There are none (erasableSyntaxOnly), and looking for them takes long: TIMING=10 npm run check:lint tells.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
    },
  },
);
