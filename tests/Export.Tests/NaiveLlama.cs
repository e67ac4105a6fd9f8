namespace Rlhf.Export.Tests;

/// <summary>A second implementation of the model in float64 and plain loops, one row at a time, written from the papers.</summary>
internal static class NaiveLlama
{
    /// <summary>Hidden states after the final norm, [tokens][hidden].</summary>
    public static double[][] Hidden(TinyModel model, ReadOnlySpan<long> tokens, List<double[][]>? residuals = null)
    {
        ModelShape s = model.Shape;
        int n = tokens.Length, d = s.HeadSize, group = s.Heads / s.KeyValueHeads;
        float[] table = model.Parameters["model.embed_tokens.weight"];
        double[][] x = new double[n][];
        for (int t = 0; t < n; t++) x[t] = [.. table.Skip((int)tokens[t] * s.HiddenSize).Take(s.HiddenSize).Select(v => (double)v)];
        residuals?.Add([.. x.Select(r => r.ToArray())]);
        for (int layer = 0; layer < s.Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            double[][] h = [.. x.Select(r => Norm(model, r, at + "input_layernorm.weight"))];
            double[][] q = [.. h.Select(r => Linear(model, r, at + "self_attn.q_proj", s.QueryKeyValueBias))];
            double[][] k = [.. h.Select(r => Linear(model, r, at + "self_attn.k_proj", s.QueryKeyValueBias))];
            double[][] v = [.. h.Select(r => Linear(model, r, at + "self_attn.v_proj", s.QueryKeyValueBias))];
            for (int t = 0; t < n; t++)
            {
                Rotate(q[t], s.Heads, d, t, s.RopeTheta);
                Rotate(k[t], s.KeyValueHeads, d, t, s.RopeTheta);
            }

            for (int t = 0; t < n; t++)
            {
                double[] mixed = new double[s.Heads * d];
                for (int head = 0; head < s.Heads; head++)
                {
                    int from = head / group * d;
                    double[] weights = new double[t + 1];
                    for (int u = 0; u <= t; u++)
                        for (int i = 0; i < d; i++) weights[u] += q[t][(head * d) + i] * k[u][from + i] / Math.Sqrt(d);
                    double max = weights.Max(), sum = weights.Sum(w => Math.Exp(w - max));
                    for (int u = 0; u <= t; u++)
                        for (int i = 0; i < d; i++) mixed[(head * d) + i] += Math.Exp(weights[u] - max) / sum * v[u][from + i];
                }

                double[] o = Linear(model, mixed, at + "self_attn.o_proj", s.OutputBias);
                for (int i = 0; i < s.HiddenSize; i++) x[t][i] += o[i];
                double[] m = Norm(model, x[t], at + "post_attention_layernorm.weight");
                double[] gate = Linear(model, m, at + "mlp.gate_proj", false), up = Linear(model, m, at + "mlp.up_proj", false);
                for (int i = 0; i < gate.Length; i++) up[i] *= gate[i] / (1 + Math.Exp(-gate[i]));
                double[] down = Linear(model, up, at + "mlp.down_proj", false);
                for (int i = 0; i < s.HiddenSize; i++) x[t][i] += down[i];
            }

            residuals?.Add([.. x.Select(r => r.ToArray())]);
        }

        return [.. x.Select(r => Norm(model, r, "model.norm.weight"))];
    }

    /// <summary>[tokens][vocabulary].</summary>
    public static double[][] Logits(TinyModel model, ReadOnlySpan<long> tokens) => [.. Hidden(model, tokens).Select(h => Head(model, h))];

    public static double[] LogSoftmax(double[] logits, double temperature)
    {
        double[] scaled = [.. logits.Select(l => l / temperature)];
        double max = scaled.Max(), log = max + Math.Log(scaled.Sum(l => Math.Exp(l - max)));
        return [.. scaled.Select(l => l - log)];
    }

    private static double[] Head(TinyModel model, double[] h)
    {
        ModelShape s = model.Shape;
        float[] w = model.Parameters[s.TiedHead ? "model.embed_tokens.weight" : "lm_head.weight"];
        double[] logits = new double[s.VocabularySize];
        for (int v = 0; v < s.VocabularySize; v++)
            for (int i = 0; i < h.Length; i++) logits[v] += h[i] * (s.TiedHead ? w[(v * h.Length) + i] : w[(i * s.VocabularySize) + v]);
        return logits;
    }

    private static double[] Norm(TinyModel model, double[] x, string weight)
    {
        double root = Math.Sqrt((x.Sum(v => v * v) / x.Length) + model.Shape.NormEpsilon);
        float[] w = model.Parameters[weight];
        return [.. x.Select((v, i) => v / root * w[i])];
    }

    private static double[] Linear(TinyModel model, double[] x, string name, bool bias)
    {
        float[] w = model.Parameters[name + ".weight"];
        int outputs = w.Length / x.Length;
        double[] y = new double[outputs];
        for (int i = 0; i < x.Length; i++)
            for (int o = 0; o < outputs; o++) y[o] += x[i] * w[(i * outputs) + o];
        if (bias)
            for (int o = 0; o < outputs; o++) y[o] += model.Parameters[name + ".bias"][o];
        return y;
    }

    private static void Rotate(double[] x, int heads, int d, int position, double theta)
    {
        for (int head = 0; head < heads; head++)
        {
            for (int i = 0; i < d / 2; i++)
            {
                double angle = position * Math.Pow(theta, -2.0 * i / d), c = Math.Cos(angle), s = Math.Sin(angle);
                int at = (head * d) + i, other = at + (d / 2);
                (x[at], x[other]) = ((x[at] * c) - (x[other] * s), (x[other] * c) + (x[at] * s));
            }
        }
    }
}
