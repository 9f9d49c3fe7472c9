/** Small models of every type on features that are within [−1, 1] already, so that a test may write records by hand. */
import type { FeatureMap } from '../../src/learning/features.ts';
import { compileFeatures } from '../../src/learning/features.ts';
import type { Model, ModelType } from '../../src/learning/model.ts';
import { parseModel } from '../../src/learning/model.ts';
import type { Task } from '../../src/learning/task.ts';
import { createTask } from '../../src/learning/task.ts';

export interface Small {
  readonly model: Model;
  readonly map: FeatureMap;
  readonly task: Task;
}

const targets: Record<ModelType, Record<string, unknown>> = {
  LINEAR_REGRESSION: { range: [-1, 1] },
  LOGISTIC_REGRESSION: { range: [0, 1] },
  SOFTMAX_REGRESSION: { levels: ['a', 'b', 'c'] },
};

/** @param rest what else model.json says, such as `training` */
export function small(modelType: ModelType, features: number, rest: Record<string, unknown> = {}): Small {
  const model = parseModel({
    model_type: modelType,
    data_props: {
      features: Array.from({ length: features }, (_, index) => ({
        name: `x${index + 1}`,
        type: 'continuous',
        range: [-1, 1],
      })),
      target: { name: 'y', ...targets[modelType] },
    },
    ...rest,
  });
  const map = compileFeatures(model);
  return { model, map, task: createTask(model, map) };
}
