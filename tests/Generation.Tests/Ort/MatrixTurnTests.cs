using NUnit.Framework;
using Rlhf.Generation.Ort;

namespace Rlhf.Generation.Tests.Ort;

public sealed class MatrixTurnTests
{
    [Test]
    public unsafe void EveryElementFindsItsPlace([Values(1, 5, 16, 61, 172)] int lines, [Values(1, 2, 7, 8, 19, 32)] int stride, [Values] bool all)
    {
        int columns = all ? stride : (stride + 1) / 2;
        float[] from = [.. Enumerable.Range(0, lines * stride).Select(i => (float)i)], to = new float[columns * lines];
        fixed (float* f = from, t = to) MatrixTurn.Turn(f, lines, stride, columns, t);
        for (int column = 0; column < columns; column++)
        {
            for (int line = 0; line < lines; line++) Assert.That(to[(column * lines) + line], Is.EqualTo((line * stride) + column));
        }
    }
}
