namespace Rlhf.Core;

/// <summary>The beginning of a text, for messages.</summary>
public static class Excerpt
{
    /// <param name="text">Of any length.</param>
    /// <param name="most">Characters that are shown of a longer one.</param>
    public static string Of(string text, int most = 60) => text.Length <= most ? text : text[..most] + "…";
}
