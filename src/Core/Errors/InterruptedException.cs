namespace Rlhf.Core;

/// <summary>The work stopped at a safe point; the message says how to go on (exit code 130).</summary>
public sealed class InterruptedException(string message) : OperationCanceledException(message);
