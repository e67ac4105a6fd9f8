namespace Rlhf.Core;

/// <summary>Checks across fields. Asked only after every field of the record has its type and range; never changes a value.</summary>
public interface IValidated
{
    /// <summary>All problems, not only the first.</summary>
    IEnumerable<ConfigProblem> Validate();
}

/// <summary>
/// One cross-field problem. <paramref name="Field"/> is the property's name (<c>nameof</c>) or a dotted path of them, relative to the
/// record that reports it; empty for the record itself. <paramref name="Expectation"/> goes on from "it":
/// "must divide rollouts_per_iteration (64). Use 8 or 16."
/// </summary>
public sealed record ConfigProblem(string Field, string Expectation)
{
    /// <summary>The key with what is expected of it, for configurations that were not read from a file.</summary>
    public override string ToString() => $"{ConfigText.SnakeCase(Field)} {Expectation}";
}
