/**
 * JIM's enum words (jim-api, section 4). Words that are not here are tolerated: later versions add some.
 */

export const TARGET_TYPES: ReadonlySet<string> = new Set([
  'NotSet',
  'ExampleDataTemplate',
  'ConnectedSystem',
  'ConnectedSystemRunProfile',
  'SynchronisationRule',
  'MetaverseObject',
  'TrustedCertificate',
  'ObjectMatchingRule',
  'MetaverseAttribute',
  'ServiceSetting',
  'HistoryRetentionCleanup',
  'MetaverseObjectType',
  'System',
  'Schedule',
  'TemporalScopeReconciliation',
  'ApiKey',
  'Role',
  'PredefinedSearch',
  'ConnectorDefinition',
  'ExampleDataSet',
  'SystemInitialisation',
  'DataGeneration',
  'Authentication',
  'MetaverseObjectHousekeeping',
  'ConnectedSystemObject',
  'PasswordSynchronisation',
]);

const OPERATIONS: ReadonlySet<string> = new Set([
  'Create',
  'Read',
  'Update',
  'Delete',
  'Clear',
  'Execute',
  'ImportHierarchy',
  'ImportSchema',
  'Revert',
  'Reset',
  'Authenticate',
  'Preview',
  'SetPassword',
  'SchemaRefreshRemoval',
]);

const RUN_TYPES: ReadonlySet<string> = new Set([
  'NotSet',
  'FullImport',
  'DeltaImport',
  'FullSynchronisation',
  'DeltaSynchronisation',
  'Export',
]);

const ERROR_TYPES: ReadonlySet<string> = new Set([
  'NotSet',
  'AmbiguousMatch',
  'CouldNotMatchObjectType',
  'CouldNotJoinDueToExistingJoin',
  'DuplicateImportedAttributes',
  'MissingExternalIdAttributeValue',
  'UnexpectedAttribute',
  'UnresolvedReference',
  'UnsupportedExternalIdAttributeType',
  'ExportNotConfirmed',
  'ExportConfirmationFailed',
  'CsoCreationFailed',
  'DuplicateObject',
  'InvalidGeneratedExternalId',
  'UnhandledError',
  'MultiValuedAttributeTruncated',
  'MultiValuedToSingleValued',
  'DeltaImportFallbackToFullImport',
  'ExpressionEvaluationError',
  'ImportHashVerificationFailed',
  'ExpressionMissingInput',
  'ImportAttributeValueError',
  'ConnectorConfigurationError',
  'CouldNotExportDueToExistingConnectedSystemObject',
]);

/** Fields whose unknown words are admitted as label values within limits, and reported once each. */
export const WORD_FIELDS = ['status', 'targetType', 'operation', 'runType', 'errorType'] as const;
export type WordField = (typeof WORD_FIELDS)[number];

const KNOWN: Readonly<Record<Exclude<WordField, 'status'>, ReadonlySet<string>>> = {
  targetType: TARGET_TYPES,
  operation: OPERATIONS,
  runType: RUN_TYPES,
  errorType: ERROR_TYPES,
};

export function isKnownWord(field: Exclude<WordField, 'status'>, word: string): boolean {
  return KNOWN[field].has(word);
}

/** Whether an unknown word looks like one of JIM's: letters only, at most 64. */
export function looksLikeWord(word: string): boolean {
  return /^[A-Za-z]{1,64}$/.test(word);
}
