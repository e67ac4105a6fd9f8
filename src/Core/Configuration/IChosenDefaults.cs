namespace Rlhf.Core;

/// <summary>
/// A section whose defaults hang on one of its own fields: <c>method: { name: grpo }</c> starts from GRPO's numbers, and every other line of the
/// section is laid over them.
/// </summary>
public interface IChosenDefaults
{
    /// <summary>The property that chooses, an enumeration.</summary>
    string ChoiceProperty { get; }

    /// <summary>A section of the same type with the defaults of a choice.</summary>
    object DefaultsOf(Enum choice);
}
