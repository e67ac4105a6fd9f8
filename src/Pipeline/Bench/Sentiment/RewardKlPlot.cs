using System.Globalization;
using System.Net;
using System.Text;

namespace Rlhf.Pipeline.Bench;

/// <summary>One numbered point.</summary>
internal sealed record PlotPoint(string Label, double Kl, double Reward);

/// <summary>Reward against KL as an SVG of its own: numbered points, names at the side, so that near points do not hide each other's names.</summary>
internal static class RewardKlPlot
{
    private const double Width = 760, Height = 440, Left = 60, Right = 210, Top = 20, Bottom = 46;

    public static string ToSvg(IReadOnlyList<PlotPoint> points, PlotPoint start)
    {
        PlotPoint[] all = [start, .. points];
        double right = Nice(all.Max(p => p.Kl) * 1.05), low = Math.Floor(all.Min(p => p.Reward) * 20) / 20, high = Math.Max(low + 0.05, Math.Ceiling(all.Max(p => p.Reward) * 20) / 20);
        double X(double kl) => Left + (kl / right * (Width - Left - Right));
        double Y(double reward) => Height - Bottom - ((reward - low) / (high - low) * (Height - Top - Bottom));
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"11\" role=\"img\" aria-label=\"Mean P(positive) against KL to the reference, one point a method\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        for (int i = 0; i <= 5; i++)
        {
            double kl = right * i / 5, reward = low + ((high - low) * i / 5);
            svg.Append(Line(X(kl), Top, X(kl), Height - Bottom, "#e4e4e4")).Append(Text(X(kl), Height - Bottom + 16, kl.ToString("0.###", CultureInfo.InvariantCulture), "middle"));
            svg.Append(Line(Left, Y(reward), Width - Right, Y(reward), "#e4e4e4")).Append(Text(Left - 8, Y(reward) + 4, reward.ToString("0.00", CultureInfo.InvariantCulture), "end"));
        }

        svg.Append(Text((Left + Width - Right) / 2, Height - 10, "KL to the reference, nats per token (k3, held-out prompts)", "middle"));
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"16\" y=\"{(Height - Bottom + Top) / 2:0.#}\" text-anchor=\"middle\" fill=\"#333\" transform=\"rotate(-90 16 {(Height - Bottom + Top) / 2:0.#})\">mean P(positive)</text>\n");
        svg.Append(Dot(X(start.Kl), Y(start.Reward), "#777", "")).Append(Text(X(start.Kl) + 10, Y(start.Reward) + 4, start.Label, "start"));
        double step = Math.Min(16, (Height - Top - Bottom) / Math.Max(1, points.Count));
        for (int i = 0; i < points.Count; i++)
        {
            string number = (i + 1).ToString(CultureInfo.InvariantCulture), colour = $"hsl({i * 360 / points.Count} 60% 42%)";
            svg.Append(Dot(X(points[i].Kl), Y(points[i].Reward), colour, number));
            double y = Top + 8 + (i * step);
            svg.Append(Dot(Width - Right + 24, y, colour, number)).Append(Text(Width - Right + 38, y + 4, points[i].Label, "start"));
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static double Nice(double value)
    {
        if (!(value > 0)) return 0.1;
        double unit = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return new[] { 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10 }.Select(m => m * unit).First(m => m >= value);
    }

    private static string Line(double x1, double y1, double x2, double y2, string colour) =>
        string.Create(CultureInfo.InvariantCulture, $"<line x1=\"{x1:0.#}\" y1=\"{y1:0.#}\" x2=\"{x2:0.#}\" y2=\"{y2:0.#}\" stroke=\"{colour}\"/>\n");

    private static string Text(double x, double y, string text, string anchor) =>
        string.Create(CultureInfo.InvariantCulture, $"<text x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\" fill=\"#333\">{WebUtility.HtmlEncode(text)}</text>\n");

    private static string Dot(double x, double y, string colour, string number) => string.Create(
        CultureInfo.InvariantCulture,
        $"<circle cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"7\" fill=\"{colour}\" fill-opacity=\"0.85\"/><text x=\"{x:0.#}\" y=\"{y + 3:0.#}\" text-anchor=\"middle\" fill=\"#fff\" font-size=\"8\">{number}</text>\n");
}
