using System.Globalization;

namespace Rlhf.Core;

/// <summary>Time spans for people.</summary>
public static class Durations
{
    /// <summary>"0.35 s", "12 s", "3 min 05 s", "2 h 07 min".</summary>
    public static string Of(TimeSpan time)
    {
        double s = Math.Max(0, time.TotalSeconds);
        CultureInfo culture = CultureInfo.InvariantCulture;
        if (s < 9.995) return string.Create(culture, $"{s:0.0#} s");
        if (s < 59.5) return string.Create(culture, $"{s:0} s");
        long whole = (long)Math.Round(s);
        return whole < 3600
            ? string.Create(culture, $"{whole / 60} min {whole % 60:00} s")
            : string.Create(culture, $"{whole / 3600} h {whole % 3600 / 60:00} min");
    }
}
